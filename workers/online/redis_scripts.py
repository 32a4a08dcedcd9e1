"""What the server itself does with rows, each script in one step.

A row begins with its instant: 8 bytes, big-endian.
"""

_NEWER = """
local function older(one, other)  -- instants as two halves: a Lua number holds 53 bits
    local a, b = struct.unpack('>i4I4', one)
    local c, d = struct.unpack('>i4I4', other)
    return a < c or (a == c and b < d)
end
"""

# KEYS: the generation, its newer rows. ARGV: keys of those. A row goes where the one that is there is not newer.
MERGE = f"""{_NEWER}
local rows, held = redis.call('HMGET', KEYS[2], unpack(ARGV)), redis.call('HMGET', KEYS[1], unpack(ARGV))
local taken = {{}}
for i, key in ipairs(ARGV) do
    if rows[i] and not (held[i] and older(rows[i], held[i])) then
        table.insert(taken, key)
        table.insert(taken, rows[i])
    end
end
if #taken > 0 then
    redis.call('HSET', KEYS[1], unpack(taken))
end
"""

# KEYS: the version, the hashes of a generation. ARGV: the version they are of, then key, row, key, row, ...
# Returns 0 and does nothing where the version is another one. A row goes into all of the hashes, or into none.
PUSH = f"""{_NEWER}
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 0
end
for i = 2, #ARGV, 2 do
    local key, row, past = ARGV[i], ARGV[i + 1], false
    for layer = 2, #KEYS do
        local held = redis.call('HGET', KEYS[layer], key)
        past = past or (held and older(row, held))
    end
    if not past then
        for layer = 2, #KEYS do
            redis.call('HSET', KEYS[layer], key, row)
        end
    end
end
return 1
"""

# KEYS: the version, a generation. ARGV: the version it is of, then key, row as it was found, right row, key, ...; an
# empty text stands for no row. Returns the number of each row that was still as it was found, and is right now; false,
# having done nothing, where the version is another one.
MEND = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return false
end
local done = {}
for i = 2, #ARGV, 3 do
    local key, found, right = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    if (redis.call('HGET', KEYS[2], key) or '') == found then
        if right == '' then
            redis.call('HDEL', KEYS[2], key)
        else
            redis.call('HSET', KEYS[2], key, right)
        end
        table.insert(done, (i - 2) / 3)
    end
end
return done
"""
