"""What the learner plays with: one module a topic.

    from colorlab.widgets.compare import CompareSlider
    from colorlab.widgets.upload import PhotoUpload

The logic of each stands apart from its view, as functions of arrays, and each shows a picture where
nothing runs. They work in ipywidgets 7.7 and 8.
"""
