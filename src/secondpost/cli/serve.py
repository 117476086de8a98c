"""`secondpost serve`: the gateway."""

import click

from secondpost.cli.frame import Command, frame, with_setting


@click.command("serve", cls=Command)
@with_setting("--smtp-listen", "smtp.listen", 'Where to listen for SMTP: "host:port", several with commas, or "off".')
@with_setting("--http-listen", "http.listen", 'Where to listen for HTTP: "host:port", or "off".')
@with_setting("--data-dir", "data_dir", "Folder for database, key file and spool.")
@click.pass_context
def command(context: click.Context) -> None:
    """Start the gateway.

    Ctrl-C or SIGTERM ends it, after what is under way is finished. SIGHUP has it take up a changed configuration
    and a renewed certificate; nothing is interrupted, and a configuration with a fault changes nothing.

    With no configuration it keeps all mail in its built-in Inbox, listens for SMTP on 127.0.0.1:2525,
    and keeps its data in ./secondpost-data.
    """
    here = frame()
    config = here.config
    from secondpost.app import serve

    context.exit(serve(config, here.read))
