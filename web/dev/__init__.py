"""For demonstration, development and tests only: the sample cast, its data, the demo's folder."""
