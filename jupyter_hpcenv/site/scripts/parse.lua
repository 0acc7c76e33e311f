-- Tell whether a file is Lua, without running it: lua parse.lua FILE
local chunk, message = loadfile(arg[1])
if not chunk then
  io.stderr:write(message, "\n")
  os.exit(1)
end
