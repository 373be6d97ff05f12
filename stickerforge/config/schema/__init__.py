"""Every setting: a frozen dataclass per command, and the only place that holds defaults.

Fields stand in the order in which configuration files are written.
"""

from stickerforge.config.schema.caption import CaptionConfig
from stickerforge.config.schema.common import MAX_SEED
from stickerforge.config.schema.control import ControlConfig
from stickerforge.config.schema.customize import (
    CustomizeConfig,
    Layers,
    PreviewConfig,
    Reduction,
    TrainingConfig,
    ValidationConfig,
)
from stickerforge.config.schema.evaluate import EvaluateConfig
from stickerforge.config.schema.generate import (
    MAX_COUNT,
    Format,
    GenerateConfig,
    InitConfig,
    OutputConfig,
    SamplingConfig,
    Scheduler,
    WordsConfig,
)
from stickerforge.config.schema.image_prompt import ImagePromptConfig
from stickerforge.config.schema.merge import MergeConfig
from stickerforge.config.schema.mixture import MixtureConfig
from stickerforge.config.schema.rate import RateConfig
from stickerforge.config.schema.tailor import (
    LongPromptsConfig,
    SharedValidationConfig,
    TailorPromptConfig,
    TuningConfig,
    TuningValidationConfig,
)
from stickerforge.config.schema.tailor_alpha import (
    AlphaLossConfig,
    AlphaValidationConfig,
    CanvasConfig,
    DecoderTrainingConfig,
    TailorAlphaConfig,
)
from stickerforge.config.schema.tailor_image import (
    AugmentConfig,
    DropConfig,
    ImageTrainingConfig,
    ImageValidationConfig,
    ReferenceConfig,
    TailorImageConfig,
)
from stickerforge.config.schema.tailor_reward import (
    AlignmentConfig,
    CandidatesConfig,
    GuardConfig,
    HeldOutConfig,
    SelectionConfig,
    TailorRewardConfig,
)
from stickerforge.config.schema.tailor_style import Arm, JointConfig, TailorStyleConfig

__all__ = [
    "AlignmentConfig",
    "CandidatesConfig",
    "GuardConfig",
    "HeldOutConfig",
    "SelectionConfig",
    "TailorRewardConfig",
    "AugmentConfig",
    "DropConfig",
    "ImageTrainingConfig",
    "ImageValidationConfig",
    "ReferenceConfig",
    "TailorImageConfig",
    "Arm",
    "AlphaLossConfig",
    "AlphaValidationConfig",
    "CanvasConfig",
    "ControlConfig",
    "DecoderTrainingConfig",
    "CaptionConfig",
    "CustomizeConfig",
    "EvaluateConfig",
    "Format",
    "GenerateConfig",
    "ImagePromptConfig",
    "InitConfig",
    "JointConfig",
    "WordsConfig",
    "Layers",
    "LongPromptsConfig",
    "MAX_COUNT",
    "MAX_SEED",
    "MergeConfig",
    "MixtureConfig",
    "OutputConfig",
    "PreviewConfig",
    "RateConfig",
    "Reduction",
    "SamplingConfig",
    "Scheduler",
    "SharedValidationConfig",
    "TailorAlphaConfig",
    "TailorPromptConfig",
    "TailorStyleConfig",
    "TrainingConfig",
    "TuningConfig",
    "TuningValidationConfig",
    "ValidationConfig",
]
