"""Tables and images that runs need; README.md says where each comes from."""
