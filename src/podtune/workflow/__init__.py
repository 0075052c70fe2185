"""The durable job: rows, phases, and the loop that brings each job to its end."""
