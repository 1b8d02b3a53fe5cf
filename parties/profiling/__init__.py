"""What a party's own table is like under a job, before anything is sent."""
