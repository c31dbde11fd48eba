"""What was found as tables for people."""

from statistics import geometric_mean

from summary import Against, Result, Row, Spread, Tail


def ratio(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.low:.2f}-{spread.high:.2f})"


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, its first column to the left."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def against(rows: list[tuple[Row, Against]], peers: list[str]) -> str:
    """Microseconds of each engine, gaitd's ratios to the faster peer, and its share of what the processor can do."""
    of_first = rows[0][1]
    header = ["configuration", "MMACs", *of_first.us, *(f"{name} / {' or '.join(peers)}" for name in of_first.ratios)]
    shares = rows[0][0].share is not None and of_first is rows[0][0].hot
    if shares:
        header += ["share of the peak", "padding counted"]
    lines = []
    for row, found in rows:
        line = [row.id, f"{row.macs / 1e6:.2f}", *(f"{us:.1f}" for us in found.us.values())]
        line += [ratio(spread) for spread in found.ratios.values()]
        if shares:
            line += [f"{100 * row.share.median:.0f} %", f"{100 * row.share_nominal:.0f} %"]
        lines.append(line)
    means = (geometric_mean(found.ratios[name].median for _, found in rows) for name in of_first.ratios)
    return f"{table(header, lines)}\n\nGeometric mean: {', '.join(f'{mean:.2f}' for mean in means)}."


def tails(rows: list[Row]) -> str:
    """What is left of an inference after the last sample."""
    columns = ["whole", "tail", "tail / whole", "factor"]
    header = ["configuration", *(f"{column}, {kind}" for kind in ("hot", "cold") for column in columns)]
    return table(header, [[row.id, *tail(row.tail_hot), *tail(row.tail_cold)] for row in rows])


def tail(found: Tail | None) -> list[str]:
    if found is None:
        return ["-"] * 4
    return [f"{found.whole:.1f}", f"{found.tail:.1f}", ratio(found.ratio), f"{1 / found.ratio.median:.1f}"]


def report(result: Result, peers: list[str]) -> str:
    """All tables of one ladder."""
    parts = [f"### {result.ladder}", "Hot:", against([(row, row.hot) for row in result.rows], peers)]
    if all(row.cold for row in result.rows):
        parts += ["Cold:", against([(row, row.cold) for row in result.rows], peers)]
    if any(row.tail_hot for row in result.rows):
        parts += [
            f"After the last sample, {result.missing} samples before which the head was done:",
            tails(result.rows),
        ]
    else:
        parts += [f"After the last sample: no head, {result.missing} samples before a window's end."]
    return "\n\n".join(parts)
