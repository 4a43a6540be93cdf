"""What each operation means. A service owns its transaction."""
