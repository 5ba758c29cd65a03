"""The sections of the report, a file each; every one turns material into blocks and knows nothing of HTML."""
