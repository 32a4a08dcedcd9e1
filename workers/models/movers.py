"""Who moves to another segment when a version begins to speak, in words."""

from limner.workers.models.segmentation import Changes

MOST = 10
"""So many ways from one segment to another are told one by one."""


def told(changes: Changes) -> list[str]:
    """What became of the segments of the version before, in lines; segment 0 is none."""
    lines = [f"beside version {changes.version}: {changes.movers:,} of {changes.entities:,} entities move"]
    for what, numbers in (("new", changes.new), ("gone", changes.gone)):
        if numbers:
            lines[0] += f", {what}: {', '.join(map(str, numbers))}"
    lines += [f"{before} -> {after}: {count:,}" for before, after, count in changes.moved[:MOST]]
    if len(changes.moved) > MOST:
        lines.append(f"and {sum(count for _, _, count in changes.moved[MOST:]):,} between others")
    if changes.sample:
        some = [f"{','.join(map(str, key))} ({before} -> {after})" for key, before, after in changes.sample]
        lines.append(f"some of them: {', '.join(some)}")
    return lines
