"""A trained network as files, and back: the ONNX graph, its weights, its manifest. Begin with `export`."""
