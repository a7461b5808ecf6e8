"""Published notebooks: rendering, versions, snapshots, the managers' gallery."""
