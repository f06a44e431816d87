-- Detects unreadable data. Invalid UTF-8, and numbers that are too great, come only from other programs.

-- The UTF-8 sequences of characters beyond ASCII.
local CHARACTERS = {
  '[\194-\223][\128-\191]',
  '\224[\160-\191][\128-\191]',
  '[\225-\236\238\239][\128-\191][\128-\191]',
  '\237[\128-\159][\128-\191]',
  '\240[\144-\191][\128-\191][\128-\191]',
  '[\241-\243][\128-\191][\128-\191][\128-\191]',
  '\244[\128-\143][\128-\191][\128-\191]',
}

local function is_utf8(text)
  if string.find(text, '[\128-\255]') then
    for _, character in ipairs(CHARACTERS) do
      text = string.gsub(text, character, ' ')
    end
  end
  return not string.find(text, '[\128-\255]')
end

local json

-- A JSON object as this service writes it: without line breaks, and without numbers that JSON does not have.
local function is_object(text)
  if string.sub(text, 1, 1) ~= '{' or string.find(text, '[%z\1-\31]') or not is_utf8(text) then
    return false
  end
  if not json then
    json = cjson.new()
    json.decode_invalid_numbers(false)
  end
  return (pcall(json.decode, text))
end

local function is_uid(text)
  return string.match(text, '^%d+$') and (#text < 20 or #text == 20 and text <= '18446744073709551615')
end

local function is_capacity(text)
  return is_number(text) and tonumber(text) < 2 ^ 32
end

local function is_one(text)
  return text == '1'
end

-- The fields of a room's record, how each is validated, and which are required.
local FIELDS = { 'uid', 'created', 'updated', 'ver', 'cap', 'closed', 'keep', 'meta', 'name' }
local IS = { is_uid, is_number, is_number, is_number, is_capacity, is_one, is_one, is_object, is_utf8 }
local NEEDED = 4

-- The fields of a room's record that are unreadable or missing.
local function unreadable_fields(room)
  local values, fields = call('HMGET', key('r', room), unpack(FIELDS)), {}
  for index, value in ipairs(values) do
    if value and not IS[index](value) or not value and index <= NEEDED then
      fields[#fields + 1] = FIELDS[index]
    end
  end
  return fields
end
