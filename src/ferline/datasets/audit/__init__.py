"""The leakage audit: which pictures of a set, or of several, stand on two sides of a split, and what that is worth."""
