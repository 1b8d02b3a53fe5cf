"""Messages, the coroutines that exchange them, and the drivers that carry them."""
