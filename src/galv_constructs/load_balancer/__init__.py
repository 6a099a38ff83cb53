"""The load balancer: who reaches it, what it answers, and which names it has."""
