-- wrk's side of benchmarks.serving_load: requests from a file, in turn; a pause between them where one is asked for.
--
-- wrk ... -s load.lua URL -- FILE [PAUSE_MS]
-- A line of FILE is METHOD, PATH, header lines joined by "|" and BODY, separated by tabs. PAUSE_MS is the mean of the
-- exponentially distributed pause of each connection before its next request.

local made, at = {}, 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    local method, path, lines, body = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
    local headers = {}
    for name, value in lines:gmatch("([^|:]+): ([^|]*)") do headers[name] = value end
    made[#made + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
  end
  local pause = tonumber(arguments[2] or "0")
  if pause > 0 then
    math.randomseed(os.time())
    function delay() return math.floor(0.5 - pause * math.log(1 - math.random())) end
  end
end

function request()
  at = at % #made + 1
  return made[at]
end

function done(summary, latency, requests)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format('\n{"requests":%d,"seconds":%.6f,"bytes":%d,"failed":%d,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, failed,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
