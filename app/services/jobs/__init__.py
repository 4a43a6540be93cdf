"""Jobs as users see them: submission, views, events, and what is collected afterwards. Begin with `service`."""
