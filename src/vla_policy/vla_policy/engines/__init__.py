"""TensorRT engines: how they are built, kept, and checked without a GPU. Nothing here runs one."""
