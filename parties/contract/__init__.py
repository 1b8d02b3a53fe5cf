"""What a run needs before its first row: everybody's signature under the job, and room for one more run."""
