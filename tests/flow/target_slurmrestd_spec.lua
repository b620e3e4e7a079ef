--- The suite of targets on a Slurm cluster by slurmrestd, which runs jobs as the user whom its token names.
local place = require("slurm_place").new({ nodes = 4, rest = true }, function(c)
  return ("rest: { url: %s, user: root }"):format(c.env.PEER_REST_URL)
end)

place.declare "slurm, by slurmrestd"
