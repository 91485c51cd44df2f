"""The error that names a photo which cannot be read."""


class PhotoError(ValueError):
    """A photo that cannot be read; the message names the file, the cause and the next step."""
