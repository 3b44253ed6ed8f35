"""The exceptions of tf2_py that a lookup of the newest transform raises."""


class TransformException(Exception):
    """Base of the others."""


class LookupException(TransformException):
    """A frame is not known."""


class ConnectivityException(TransformException):
    """Two frames are not in the same tree."""


class ExtrapolationException(TransformException):
    """The transforms between two frames have no time in common."""
