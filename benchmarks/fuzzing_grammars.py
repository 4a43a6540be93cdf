"""Grammars of texts that parsers read, right ones and odd ones: benchmarks.fuzzing_inputs makes texts of them."""

from app.api.cookies import SESSION
from benchmarks.fuzzing_inputs import Grammar

ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Africa/Monrovia")
FREQUENCIES: Grammar = {
    "start": ["h", "<count><unit>", "<unit>-<anchor>", "<count><unit>-<anchor>", "<count><unit><count><unit>",
              "<word>"],
    "count": ["", "1", "15", "-3", "0", "1.5", "٣", "999999999999999999999", "366", "  2 ", "+1", "1e9"],
    "unit": ["h", "min", "s", "D", "B", "W", "MS", "ME", "QS", "QE", "YS", "YE", "BQE", "SM", "SME", "WOM", "LWOM",
             "C",
             "bh", "cbh", "CBMS", "us", "ns", "ms", "m", "M", "H", "T", "A", "Y", "REQ", "RE-N", "FY5253"],
    "anchor": ["SUN", "JAN", "DEC", "1MON", "5FRI", "0MON", "15", "N-MAR-SUN-4", "L-DEC-MON-1", "XXX", "31", "", "-"],
    "word": ["hourly", "15 minutes", "PT1H", "P1Y", "infer", "None", "nan", "daily", "1 day", "inf"],
}  # fmt: skip
TIMES: Grammar = {
    "start": ["<zone>\n<time>", "<zone>\n<time>\n<time>\n<time>", "<zone>\n<time><time>"],
    "zone": [*ZONES, "", "../etc", "localtime", "UTC\x00", "Etc/GMT+5", "posix/UTC", "/etc/passwd", "a" * 300],
    "time": ["<date>", "<date>T<clock>", "<date> <clock>", "<date>T<clock><offset>", "<date><offset>", "<odd>"],
    "date": ["2024-03-01", "20240301", "<year>-<two>-<two>", "<year><two><two>", "<two>/<two>/<year>",
             "<year>-W<two>-1",
             "<year>-Q1", "<year>-<two>", "<two>.<two>.<year>", "<year>/<two>/<two>", "<year>-060"],
    "year": ["2024", "1000", "8999", "9999", "0001", "0000", "1970", "1890", "-2024", "２０２４"],
    "two": ["01", "31", "03", "29", "02", "12", "00", "99", "1", "10"],
    "clock": ["00", "02:30", "24:00", "23:59:60", "<two>:<two>:<two>", "<two>:<two>:<two>.<digits>", "2:30 PM",
              "<two><two>"],
    "digits": ["1", "000000", "123456789", "1234567890123", ""],
    "offset": ["Z", "z", "+01:00", "-23:59", "+0100", "+24:00", "+01", "[Europe/Berlin]", " UTC", " CET", "+1"],
    "odd": ["now", "1709251200", "1709251200000", "NaT", "45352.5", "/Date(1709251200000)/", "", "Mar 1, 2024",
            "24:00",
            "2024-03-01T24:00:00", "9999-12-31T24:00", "2024-02-30"],
}  # fmt: skip
QUERIES: Grammar = {
    "start": ["<pair>", "<pair>&<start>", "<pair>&<pair>&<pair>", "&&", "<pair>;<pair>"],
    "pair": ["model=bikes", "<name>=<value>", "<name>", "label=<value>", "series=<value>", "=<value>"],
    "name": ["model", "series", "horizon", "quantiles", "origin", "label", "start", "end", "limit", "time", "columns",
             "delimiter", "encoding", "format", "point", "max_age", "Model", "h", "seri%65s", "%ff", "", "on_missing",
             "covariate_fill", "width", "height", "title"],
    "value": ["a", "24", "0.1,0.9", "key:value", ":", "a:", ":b", "2024-03-01T00:00:00+01:00",
              "2024-03-01 00:00 01:00",
              "date:ds,value:y", "%22a,b%22:y", "tab", "utf-16", "idna", "%00", "%ED%A0%80", "+", "%", "1e400", "nan",
              "-1", "9999999999999999999999", "%E2%80%AE", "svg", "true", "<value>,<value>"],
}  # fmt: skip
PROMQL: Grammar = {
    "start": ["<selector>", "<number>", "(<start>)", "<start><op><start>", "-<start>", "<call>(<start>)",
              "<selector>[5m]",
              "<selector> offset <duration>", "<selector> @ <at>", "<duration>", "sum by (a) (<start>)"],
    "selector": ["up", "<metric>{<matchers>}", "{<matchers>}", "<metric>{}"],
    "metric": ["bikes:predicted", "bikes:breach", "bikes:forecast_max", "a", ":", "up", "日本"],
    "matchers": ["series=\"a\"", "<matcher>", "<matcher>,<matcher>", "<matcher>,", "<matcher> or <matcher>", ""],
    "matcher": ["<label><test><text>", "quantile=\"<number>\"", "within=\"<duration>\"", "above=\"<number>\"",
                "ml_forecast=\"yhat_upper\""],
    "label": ["series", "model", "__name__", "quantile", "0a", "日本", "\"quoted name\""],
    "test": ["=", "!=", "=~", "!~", "==", "~"],
    "text": ["\"a\"", "'a'", "`a`", "\"a|b\"", "\".*\"", "\"(\"", "\"(a+)+$\"", "\"a{1000}{1000}\"",
             "\"\\u00e9\\xff\"", "\"",
             "\"\\pZ\"", "\"(?i)x\"", "\"\\\\Qa\"", "\"[[:alpha:]]\""],
    "number": ["1", "0", "-1", "1e308", "nan", "Inf", "0x1f", "0b1", "1_000", ".5", "1.", "1e", "9" * 400, "07"],
    "duration": ["5m", "1h30m", "0s", "1y", "999999999999y", "-5m", "1.5h", "5", "5mm", "1m1h", "1d1d"],
    "op": ["+", " - ", "*", "/", "%", "^", " == bool ", " and ", " atan2 ", " or on() ", "<", " unless "],
    "at": ["1700000000", "start()", "end()", "-1", "1e300", "nan", "1.5", "9" * 30],
    "call": ["rate", "sum", "abs", "time", "absent", "nope", "count_values", "topk"],
}  # fmt: skip
CRON: Grammar = {
    "start": ["UTC\n0 3 * * *", "UTC\n<number> <number> * * <day>", "UTC\n*/<number> <field> * * *",
              "UTC\n<field> <field> <field> <field> <field>", "<zone>\n<field> <field> <field> <field> <field>",
              "<zone>\n<word>", "UTC\n<field> <field> <field> <field> <field> <field>"],
    "zone": [*ZONES, "Nowhere", ""],
    "field": ["*", "<number>", "*/<number>", "<number>-<number>", "<number>,<number>", "<number>-<number>/<number>",
              "?",
              "L", "<number>L", "L<number>", "<day>#<number>", "<day>", "H", "R", "H(0-5)", "<number>W", "LW",
              "r(1-2)", "<field>,<field>"],
    "number": ["0", "1", "3", "5", "12", "30", "31", "59", "60", "7", "-1", "1000000000", "٣", "1.5"],
    "day": ["mon", "SUN", "jan", "DEC", "fri", "5", "sunday"],
    "word": ["@daily", "@reboot", "@every 5m", "0 3 * * *", "0 0 30 2 *", "0 0 29 2 *", "0 0 31 2,4 *", ""],
}  # fmt: skip
MATCHERS: Grammar = {
    "start": ["job\n<text>", "job\n~<regex>", "\n~<regex>|<regex>"],
    "text": ["a", "", "~", "\\", "a|b"],
    "regex": ["a", "<regex><regex>", "(<regex>)", "(?:<regex>)", "<regex><times>", "<regex>|<regex>", "[<regex>]",
              "\\<mark>",
              "(?i)<regex>", "(?P<a><regex>)", "^<regex>$", ".", "\\Q<regex>\\E", "(?<mark>)"],
    "times": ["*", "+", "?", "{2}", "{1000}", "{1001}", "{,3}", "{2,}", "**", "*?", "++"],
    "mark": ["d", "p{Greek}", "pN", "x41", "x{110000}", "z", "A", "C", "1", ".", "|", "b", "!", "=", "U", "\\"],
}  # fmt: skip
COOKIES: Grammar = {
    "start": [f"{SESSION}=<value>", f"a=b; {SESSION}=<value>", "<pair>; <start>", f"{SESSION}",
              f"{SESSION}={SESSION}=<value>"],
    "pair": ["a=b", "expires=Thu, 01 Jan", "$Path=/", "a=\"b;c\"", "=", "a b=c", "\u00fc=\u00fc", "Max-Age=1", "a",
             ";;"],
    "value": ["abc", "\"abc\"", "\"\\101\\\"\"", "", "\"", "a,b", "%00", "\u00fc", "\"\\777\"", "a" * 5000],
}  # fmt: skip
HEADERS: Grammar = {
    "start": ["<media>", "<media>;<parameter>", "<media>;<parameter>;<parameter>", "<media>,<start>", "<tag>",
              "<tag>, <tag>"],
    "media": ["text/csv", "*/*", "text/*", "application/json", "multipart/form-data",
              "application/vnd.apache.parquet", "/", "",
              "APPLICATION/GZIP", "text/csv/csv", "text/tab-separated-values", "x.csv.gz"],
    "parameter": ["q=0.5", "q=nan", "q=1e999", "q=-1", "q", "charset=utf-16", "charset=\"", "header=absent",
                  "boundary=a", "=", "q=0x1"],
    "tag": ["\"tag\"", "W/\"tag\"", "*", "\"", "W/W/\"tag\""],
}  # fmt: skip
CELLS: Grammar = {
    "start": ["<cell>", "<cell>\n<start>", "<cell>\n<cell>\n<cell>"],
    "cell": ["1", "<number>", "<sign><number>", "<number> <unit>", "<unit><number>", "(<number>)", "<odd>",
             " <number> "],
    "number": ["1.5", "1,5", "1.234,5", "1,234,567.8", "1e5", "1E+400", "0x10", "1_0", "٣", "1'000", "1 000",
               "9" * 400, ".", "1.2.3", "1,2,3"],
    "sign": ["-", "+", "−", "--", "±"],
    "unit": ["%", "€", "$", "kWh", "EUR", "°C"],
    "odd": ["nan", "NA", "null", "inf", "-Infinity", "#DIV/0!", "n/a", "-", "", "true", "∞", "#REF!", "none", "1e",
            "infinity"],
}  # fmt: skip
LINKS: Grammar = {
    "start": ["/charts/a?<pair>&<pair>&<pair>", "/charts/a?expires=<number>&key=0&signature=<text>&<pair>",
              "<text>?<pair>&<start>"],
    "pair": ["key=0", "expires=<number>", "key=<number>", "signature=<text>", "<text>=<text>", "series=%ED%A0%80"],
    "number": ["0", "1", "1764374400", "999999999999999", "9999999999999999", "-1", "٣", "", "1e5", "0x1"],
    "text": ["a", "", "%00", "%ff", "é", "=", "AAAA", "x" * 300],
}  # fmt: skip
URLS: Grammar = {
    "start": ["http://example.org/x", "<scheme><host><port><path>", "<scheme><user>@<host><path>"],
    "scheme": ["http://", "https://", "ftp://", "//", "", "http:", "HTTP://", "javascript:"],
    "user": ["a", "a:b", ":", "a%40b", ""],
    "host": ["example.org", "127.1", "[::1]", "[::ffff:127.0.0.1%25eth0]", "0x7f.1", "2130706433", "[", "a..b",
             "ü.de", "xn--a", "%00",
             "a" * 300, "1.2.3.4.5", "[v1.a]", "-", ".", "[::1]]", "\u2024"],
    "port": ["", ":80", ":0", ":65536", ":-1", ":", ":٣", ":999999999999999999999"],
    "path": ["", "/", "/a?b=c#d", "/%zz", "/ ", "?", "\\", "/\u202e", "/" + "a" * 3000],
}  # fmt: skip
TEMPLATES: Grammar = {
    "start": ["{__name__}/{instance}", "<part>", "<part><part><part>"],
    "part": ["a", "{<name>}", "{{<name>}}", "{", "}", "{}", "/", "..", "export", "\\1", " "],
    "name": ["job", "a b", "\\g<0>", "0", "a.b", "a[0]"],
}
REFERENCES: Grammar = {
    "start": ["bikes", "<name>@<number>", "<name>@<number>.<number>", "auto:<name>", "<name>@@1"],
    "name": ["a", "auto", "bikes.1", "a" * 101, "-", "ä", "15min"],
    "number": ["1", "0", "07", "9" * 30, "-1", "1e3", "٣", ""],
}
DURATIONS: Grammar = {
    "start": ["10min", "<number><unit>", "<number> <unit>", "-<number><unit>", "<number><unit><number><unit>"],
    "number": ["1", "0", "24", "999999999", "9999999999", "1.5", "٣", "01", ""],
    "unit": ["s", "min", "h", "D", "W", "d", "M", "\n", "m", "h\n"],
}
