# Zone files.
zone-good = { $file } is good: { $zone }, serial { $serial }, { $records } records.
zone-error = { $place }: error: { $text }
zone-warning = { $place }: warning: { $text }
zone-bad = { $count ->
        [one] One zone cannot be served.
       *[other] { $count } zones cannot be served.
    } Correct what stands above; a running server keeps the last good ones.
zone-none = There is no zone file in { $folder }.
zone-unknown = There is no zone { $zone } here. `guichet zone check` lists those there are.
zone-no-folder = Where the zone files lie is not known from a control socket: name --config, --dir, or the file.
