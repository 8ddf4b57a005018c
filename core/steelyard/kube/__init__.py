"""The Kubernetes API as operator and gateway use it: one lean client, and typed what it follows."""
