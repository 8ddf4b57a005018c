"""What engines and GPUs say of themselves, as typed values. Pure: bytes in, values out."""
