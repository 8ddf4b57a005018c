"""The pure core that every Steelyard program shares: resource types, decisions, resource files."""
