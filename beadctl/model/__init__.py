"""The model file: session, metadata and inference by blocks."""

import os

# From 1.29 on, onnxruntime tells its maker names of model files and facts of the machine unless this is set.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
