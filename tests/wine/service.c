/* Copyright (c) 2026, the sfb.kb4023993 contributors
 * GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A Windows service that does nothing but start and stop. The key Parameters of the service says how, in REG_DWORDs:
 *   StartSeconds  how long it stays in "start pending"
 *   StartError    a Windows error with which it ends instead of starting
 *   StopSeconds   how long it stays in "stop pending"
 *   RefuseStop    not 0: it does not accept to be stopped
 * At its start it writes there:
 *   Runs          how often it was started
 *   OptedOut2, OptedOut4  1 when it found the per-executable opt-out for itself, as .NET of CLR 2 or 4 looks for it
 */
#include <windows.h>

#define FRAMEWORK L"SOFTWARE\\Microsoft\\.NETFramework\\"
#define SWITCH L"\\System.Net.ServicePointManager.RequireCertificateEKUs"

static WCHAR name[256];
static SERVICE_STATUS_HANDLE handle;
static HANDLE stopping;

static const WCHAR *parameters(void)
{
    static WCHAR path[400];

    lstrcpyW(path, L"SYSTEM\\CurrentControlSet\\Services\\");
    lstrcatW(path, name);
    lstrcatW(path, L"\\Parameters");
    return path;
}

static DWORD parameter(const WCHAR *value)
{
    DWORD number = 0, size = sizeof(number);

    if (RegGetValueW(HKEY_LOCAL_MACHINE, parameters(), value, RRF_RT_REG_DWORD, NULL, &number, &size)) return 0;
    return number;
}

static void note(const WCHAR *value, DWORD number)
{
    RegSetKeyValueW(HKEY_LOCAL_MACHINE, parameters(), value, REG_DWORD, &number, sizeof(number));
}

static DWORD opted_out(const WCHAR *key)
{
    WCHAR program[MAX_PATH];
    DWORD number = 1, size = sizeof(number);

    GetModuleFileNameW(NULL, program, MAX_PATH);
    RegGetValueW(HKEY_LOCAL_MACHINE, key, program, RRF_RT_REG_DWORD, NULL, &number, &size);
    return number == 0;
}

static void tell(DWORD state, DWORD error, DWORD seconds)
{
    SERVICE_STATUS status;

    ZeroMemory(&status, sizeof(status));
    status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
    status.dwCurrentState = state;
    status.dwWin32ExitCode = error;
    status.dwWaitHint = 1000 * seconds + 2000;
    if (state == SERVICE_RUNNING && !parameter(L"RefuseStop")) status.dwControlsAccepted = SERVICE_ACCEPT_STOP;
    SetServiceStatus(handle, &status);
}

static DWORD WINAPI control(DWORD code, DWORD type, void *data, void *context)
{
    (void)type;
    (void)data;
    (void)context;
    if (code == SERVICE_CONTROL_INTERROGATE) return NO_ERROR;
    if (code != SERVICE_CONTROL_STOP) return ERROR_CALL_NOT_IMPLEMENTED;
    tell(SERVICE_STOP_PENDING, NO_ERROR, parameter(L"StopSeconds"));
    SetEvent(stopping);
    return NO_ERROR;
}

static void WINAPI service(DWORD count, WCHAR **words)
{
    DWORD waited;

    (void)count;
    lstrcpynW(name, words[0], 256);
    stopping = CreateEventW(NULL, TRUE, FALSE, NULL);
    handle = RegisterServiceCtrlHandlerExW(name, control, NULL);
    note(L"Runs", parameter(L"Runs") + 1);
    note(L"OptedOut2", opted_out(FRAMEWORK L"v2.0.50727" SWITCH));
    note(L"OptedOut4", opted_out(FRAMEWORK L"v4.0.30319" SWITCH));
    tell(SERVICE_START_PENDING, NO_ERROR, parameter(L"StartSeconds"));
    if (parameter(L"StartError")) {
        tell(SERVICE_STOPPED, parameter(L"StartError"), 0);
        return;
    }
    Sleep(1000 * parameter(L"StartSeconds"));
    tell(SERVICE_RUNNING, NO_ERROR, 0);
    WaitForSingleObject(stopping, INFINITE);
    /* Asked again and again, so that a service which hangs can be released. */
    for (waited = 0; waited < 10 * parameter(L"StopSeconds"); waited++) Sleep(100);
    tell(SERVICE_STOPPED, NO_ERROR, 0);
}

int main(void)
{
    SERVICE_TABLE_ENTRYW table[] = { { name, service }, { NULL, NULL } };

    return StartServiceCtrlDispatcherW(table) ? 0 : 1;
}
