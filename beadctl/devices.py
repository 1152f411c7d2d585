"""Names of the devices that can run a network."""

# Devices of a network, and their names with a number or, of OpenVINO, with its own name of the device.
DEVICE_KINDS = ("auto", "cpu", "cuda", "tensorrt", "directml", "coreml", "openvino")
DEVICE_PATTERN = r"^(auto|cpu|coreml|(cuda|tensorrt|directml)(:\d+)?|openvino(:[A-Z]+(\.\d+)?)?)$"
