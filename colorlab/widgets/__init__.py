"""What the learner plays with: one module a topic.

    from colorlab.widgets.compare import CompareSlider   # before and after
    from colorlab.widgets.upload import PhotoUpload      # the learner's own photos
    from colorlab.widgets.lab import LabSliders          # lesson 01: L, a, b; gamut; levels
    from colorlab.widgets.unet import SkipSwitch         # lesson 03: skips; feature maps
    from colorlab.widgets.patches import PatchView       # lesson 04: patches; maps of verdicts
    from colorlab.widgets.objectives import LambdaSlider # lesson 05: the weight of L1; pulls
    from colorlab.widgets.diary import DiaryPlayer       # lesson 06: a run's photos and curves
    from colorlab.widgets.museum import FailureMuseum    # lesson 06: what is wrong with this run?
    from colorlab.widgets.board import Board             # lesson 06: a run, watched and steered
    from colorlab.widgets.speed import SpeedSliders      # lesson 07: what a faster part is worth
    from colorlab.widgets.scaling import ScalingPanel    # lesson 07: what more processes gain
    from colorlab.widgets.quiz import Quiz               # five questions
    from colorlab.widgets.epochs import EpochButtons     # a question after each epoch

The logic of each stands apart from its view, as functions of arrays, and each shows a picture where
nothing runs. They work in ipywidgets 7.7 and 8. Most are a `_panel.Panel`: controls and a picture.
"""
