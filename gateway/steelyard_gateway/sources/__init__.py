"""Where resources come from. A source hands whole ResourceSets on, the first before anything is served."""
