"""RunPod as a provider: REST v2 for machines, its proxy to reach them, GraphQL for the balance."""
