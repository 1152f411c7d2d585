"""The choices of training that have names, without torch, for the settings and the command line."""

from enum import StrEnum


class ArchName(StrEnum):
    """A network by its name on the command line."""

    UNET = "unet"
    RESUNET = "resunet"
    ATTENTION_UNET = "attention-unet"


class ScheduleName(StrEnum):
    """How the learning rate falls: on half a cosine, or by a factor at every plateau."""

    COSINE = "cosine"
    PLATEAU = "plateau"


class PrecisionName(StrEnum):
    """Arithmetic of the convolutions while training; auto is what the device is best at."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


class SelectName(StrEnum):
    """By which validation figure the best epoch is chosen: F1 of the beads at IoU 0.5, pixels, or counts."""

    F1 = "f1"
    JACCARD = "jaccard"
    COUNT = "count"
