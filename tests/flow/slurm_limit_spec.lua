--- The limit of a job on a Slurm cluster, which Slurm counts in minutes and looks at twice a minute.
local place = require("slurm_place").new { nodes = 1, conf = { OverTimeLimit = 0, KillWait = 2 } }
local support = require "support"
local tools = require("target_tools").new(place)

describe("a job on a Slurm cluster", function()
  place.around(function()
    it("is told before its limit where asked, ended at it, cause timeout, exit 9", function()
      local s <close> = tools.scene()
      tools.well(tools.go(s, [[limit = "60s", slurm = { signal = "USR1@30" },
        cmd = { "bash", "-c", "trap 'echo told' USR1; while :; do sleep 0.2; done" }]], { "--detach" }))
      -- Who follows it would look every minute only by then.
      local id = support.read(s:folder() .. "/jobs/train-1/sbatch.out"):match "%d+"
      for _ = 1, 110 do
        if place.cluster:jobs("-t", "all", "-j", id)[1].state == "TIMEOUT" then break end
        require("system").sleep(1)
      end
      local r = s:run { "wait", "last" }
      assert.equal(9, r.code, r.stdout .. r.stderr)
      assert.matches("it ran into its time limit", r.stderr, 1, true)
      assert.matches("%[train.0%] told\n", r.stdout)
      tools.nothing_left(s)
    end)
  end)
end)
