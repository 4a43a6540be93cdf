"""Running a published version without torch. Begin with `published`."""
