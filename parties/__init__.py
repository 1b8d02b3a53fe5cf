"""The programs that the institutions start, their files and their command line."""
