/* Copyright (c) 2026, the sfb.kb4023993 contributors
 * GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Writes keys and values below HKEY_LOCAL_MACHINE exactly as they are given: reg.exe repairs strings and cannot take every name.
 * Its only argument is a file of records. 'K' text: make this key and go on in it. 'V' text number text: set a value of this name,
 * type and content. A text is its length in bytes and the bytes; numbers have 32 bits.
 */
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static const BYTE *at;

static DWORD number(void)
{
    DWORD value;

    memcpy(&value, at, sizeof(value));
    at += sizeof(value);
    return value;
}

static WCHAR *name(void)
{
    DWORD size = number();
    WCHAR *text = calloc(size + sizeof(WCHAR), 1);

    memcpy(text, at, size);
    at += size;
    return text;
}

int wmain(int count, WCHAR **words)
{
    HKEY key = NULL;
    HANDLE file = CreateFileW(words[count - 1], GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    DWORD size = GetFileSize(file, NULL), type;
    BYTE *records = malloc(size);
    LONG error = 0;

    if (!ReadFile(file, records, size, &size, NULL)) return 1;
    for (at = records; !error && at < records + size;) {
        if (*at++ == 'K') {
            if (key) RegCloseKey(key);
            error = RegCreateKeyExW(HKEY_LOCAL_MACHINE, name(), 0, NULL, 0, KEY_ALL_ACCESS, NULL, &key, NULL);
        } else {
            WCHAR *value = name();

            type = number();
            DWORD length = number();
            error = RegSetValueExW(key, value, 0, type, at, length);
            at += length;
        }
    }
    return error;
}
