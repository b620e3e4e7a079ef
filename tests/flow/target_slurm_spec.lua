--- The suite of targets on a Slurm cluster by its own commands.
local place = require("slurm_place").new { nodes = 4 }

place.declare "slurm"
