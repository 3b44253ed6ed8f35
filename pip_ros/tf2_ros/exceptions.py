"""The exceptions of tf2_py."""


class TransformException(Exception):
    """Base of the others."""


class LookupException(TransformException):
    """A frame is not known."""


class ConnectivityException(TransformException):
    """Two frames are not in the same tree."""


class ExtrapolationException(TransformException):
    """The time asked for is outside of what the buffer holds."""


class InvalidArgumentException(TransformException):
    """A frame's name is empty or begins with a slash."""


class TimeoutException(TransformException):
    """Waited for too long."""
