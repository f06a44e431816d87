#!/usr/bin/env python3
"""What a cluster needs: nodes, Redis servers, memory and network, computed from measured figures.

python3 docs/scaling-model.py --help tells what can be set. docs/scaling.md says where the figures come from.
"""

import argparse
import math

# CPU of one Redis server for each command, in microseconds, measured one at a time: `cargo xtask bench redis-costs`.
CONNECT, JOIN, LEAVE, DISCONNECT, HEARTBEAT = 21, 23, 22, 20, 19
# And for each client and membership that is compared with its node and looked through for damage.
COMPARED_CLIENT, COMPARED_MEMBERSHIP = 19, 9
PUBLISH, PUBLISH_PER_NODE = 10, 4.5
# Bytes of memory in Redis: the same run.
CLIENT_MEMORY, MEMBERSHIP_MEMORY = 379, 158
# Bytes on the wire for a command and its answer, and around each message.
COMMAND_BYTES, MESSAGE_BYTES = 330, 75
# CPU of a node in microseconds, and its memory: `cargo xtask bench redis-costs`, `cargo xtask bench`,
# docs/performance.md.
NODE_CONNECT, NODE_JOIN, NODE_PUBLISH, NODE_RECEIVE, NODE_DELIVERY, NODE_CLIENT_KIB = 110, 48, 25, 4, 6.0, 14
# The partitions of state on a Redis Cluster, each of which is told of every heartbeat.
PARTITIONS = 64


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=1_000_000)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--rooms-per-client", type=float, default=3)
    parser.add_argument("--members-per-room", type=float, default=20)
    parser.add_argument("--session", type=float, default=1200, help="how long a client stays, in seconds")
    parser.add_argument("--messages", type=float, default=1 / 30, help="messages a client sends to a room, per second")
    parser.add_argument("--message-bytes", type=float, default=250)
    parser.add_argument("--heartbeat", type=float, default=2, help="seconds")
    parser.add_argument("--reconcile", type=float, default=60, help="seconds")
    parser.add_argument("--use", type=float, default=0.5, help="how much of a core is used in normal operation")
    return parser.parse_args()


def nodes_that_hear(nodes, members):
    """How many other nodes have a member of a room, on average, when clients are spread by chance."""
    return (nodes - 1) * (1 - (1 - 1 / nodes) ** (members - 1)) if nodes > 1 else 0


def main():
    given = arguments()
    arrivals = given.clients / given.session
    joins = arrivals * given.rooms_per_client
    heartbeats = given.nodes / given.heartbeat * PARTITIONS
    messages = given.clients * given.messages
    hearing = nodes_that_hear(given.nodes, given.members_per_room)

    # On a cluster a join and a leave are a command in the client's partition and one in the room's; a disconnect is one
    # more for each room.
    state = arrivals * (CONNECT + DISCONNECT) + joins * (2 * JOIN + LEAVE) + heartbeats * HEARTBEAT
    compared = COMPARED_CLIENT + given.rooms_per_client * COMPARED_MEMBERSHIP
    state += given.clients * compared / given.reconcile
    bus = messages * (PUBLISH + PUBLISH_PER_NODE * hearing)
    cores = (state + bus) / 1e6 / given.use
    commands = arrivals * 2 + joins * 3 + heartbeats
    wire = commands * COMMAND_BYTES + messages * (1 + hearing) * (given.message_bytes + MESSAGE_BYTES)
    memory = given.clients * (CLIENT_MEMORY + given.rooms_per_client * MEMBERSHIP_MEMORY)

    deliveries = messages * given.members_per_room
    node_cpu = arrivals * NODE_CONNECT + joins * NODE_JOIN + deliveries * NODE_DELIVERY
    node_cpu += messages * (NODE_PUBLISH + hearing * NODE_RECEIVE)
    node_cores = node_cpu / 1e6 / given.use / given.nodes

    rows = [
        ("clients that connect and leave a second", f"{arrivals:,.0f}"),
        ("messages to rooms a second", f"{messages:,.0f}"),
        ("other nodes that get a message, on average", f"{hearing:.1f}"),
        ("messages delivered to clients a second", f"{deliveries:,.0f}"),
        ("cores of Redis for state", f"{state / 1e6 / given.use:.1f}"),
        ("cores of Redis for messages", f"{bus / 1e6 / given.use:.1f}"),
        ("Redis primaries, one core each", f"{math.ceil(cores)}"),
        ("memory of all Redis primaries [GiB]", f"{memory / 2**30:.1f}"),
        ("network of all Redis primaries [MB/s]", f"{wire / 1e6:.0f}"),
        ("cores of each node", f"{node_cores:.1f}"),
        ("memory of each node for connections [GiB]", f"{given.clients / given.nodes * NODE_CLIENT_KIB / 2**20:.1f}"),
    ]
    for name, value in rows:
        print(f"{name:<46} {value:>12}")


if __name__ == "__main__":
    main()
