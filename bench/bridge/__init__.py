"""What the bridge costs beside Janus and beside a relay that decodes: `make bench-media`."""
