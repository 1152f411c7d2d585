"""Names of the devices that can run a network."""

# Devices of a network, and their names with a number or, of OpenVINO, with its own name of the device.
DEVICE_KINDS = ("auto", "cpu", "cuda", "tensorrt", "directml", "coreml", "openvino")
# Kinds of which a computer may have several, from number 0 on.
NUMBERED = ("cuda", "tensorrt", "directml")
DEVICE_PATTERN = rf"^(auto|cpu|coreml|({'|'.join(NUMBERED)})(:\d+)?|openvino(:[A-Z]+(\.\d+)?)?)$"
