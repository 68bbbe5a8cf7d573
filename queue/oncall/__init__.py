"""The on-call queue: roster, presence, policy, live state; imports no other folder of ours."""
