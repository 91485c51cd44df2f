"""What the learner plays with: one module a topic.

    widgets.compare.CompareSlider       before and after
    widgets.upload.PhotoUpload          the learner's own photos
    widgets.lab.LabSliders              lesson 01: L, a, b; gamut; levels
    widgets.unet.SkipSwitch             lesson 03: skips; feature maps
    widgets.patches.PatchView           lesson 04: patches; maps of logits
    widgets.objectives.LambdaSlider     lesson 05: the weight of L1; pulls
    widgets.diary.DiaryView             lesson 06: a run's photos and curves
    widgets.museum.FailureMuseum        lesson 06: what is wrong with this run?
    widgets.board.Board                 lesson 06: a run, watched and steered
    widgets.speed.SpeedSliders          lesson 07: what a faster part is worth
    widgets.scaling.ScalingPanel        lesson 07: what more processes gain
    widgets.palette.TemperaturePlay     lesson 08: a distribution of colors, and its annealed mean
    widgets.hints.HintBoard             lesson 08: click, choose a color, see the photo follow
    widgets.enlarge.EnlargePlay         lesson 10: coarse a, b brought to the size of L
    widgets.clip.ClipPlay               lesson 10: a clip frame by frame, and with carried colors
    widgets.quiz.Quiz                   five questions
    widgets.epochs.EpochButtons         a question after each epoch

The logic of each stands apart from its view, as functions of arrays, and each shows a picture where
nothing runs. They work in ipywidgets 7.7 and 8. Most are a `_panel.Panel`: controls and a picture.
The hint board has JavaScript of its own, which tells where a click was.
"""
