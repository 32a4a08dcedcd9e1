"""`limner bench`: how fast this machine is."""

import typer

from limner.cli.commands import bench_aggregate, bench_encode, bench_spec

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.callback()(lambda: None)  # without it, Typer would make a lone command of the group
app.command("encode", short_help="Texts a second, in process and through Triton.")(bench_encode.bench_encode)
app.command("aggregate", short_help="Events turned into windowed features, and the next day's share.")(
    bench_aggregate.bench_aggregate
)
app.command("spec", short_help="A large spec validated, planned and applied.")(bench_spec.bench_spec)
