"""Colorize photographs with adversarial networks, and learn how it is done.

Where the library has what a lesson builds:

    00  first colors            colorize.py
    01  color and Lab           color.py
    02  photos as data          photos/; where they come from: sources/; what is wrong: audit/
    03  the U-Net               unet.py
    04  the PatchGAN            patchgan.py, with its receptive field
    05  objectives              losses.py, binary cross-entropy and others; recipes/ chooses
    06  adversarial training    training/step.py, one step; training/run.py, the run
    07  speed and scale         speed/; several processes: training/processes.py
    08  better generators       encoders.py, palette.py, hints.py
    09  measuring color         metrics.py

What serves only the lessons stands in course/, and the command line in commands/.
"""

__version__ = "0.1.0"
