"""What runs inside the machine of the air lab: its first process, the network, and the programs of a scenario."""
