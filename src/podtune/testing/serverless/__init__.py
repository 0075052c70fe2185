"""The serverless queue of the stand-in cloud: the job API, the worker routes, and workers that run."""
