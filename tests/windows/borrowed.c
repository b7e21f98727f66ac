/* Under a name of Windows, this machine's own program: NAME.exe has /usr/bin/NAME answer.

   Wine starts such a program, and gives it no pipe of Windows' and its starter nothing to wait by: what it
   prints and its exit status come in files. */

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <windows.h>

typedef char *(CDECL *unix_name)(const WCHAR *);

static WCHAR line[32768] = L"Z:\\bin\\sh -c \"own=$1; shift; \\\"$@\\\" >$own.1 2>$own.2; echo $? >$own\" sh";

static void add(const WCHAR *word, unix_name spell)
{
    WCHAR path[4096];
    if (spell && word[0] && word[1] == ':') {
        MultiByteToWideChar(CP_UTF8, 0, spell(word), -1, path, 4096);
        word = path;
    }
    wcscat(line, L" \"");
    wcscat(line, word);
    wcscat(line, L"\"");
}

static void hand_on(const WCHAR *status, const WCHAR *ending, FILE *stream)
{
    WCHAR path[MAX_PATH];
    char block[4096];
    size_t size;
    FILE *file;

    wcscat(wcscpy(path, status), ending);
    _setmode(_fileno(stream), _O_BINARY);
    if (!(file = _wfopen(path, L"rb")))
        return;
    while ((size = fread(block, 1, sizeof block, file)))
        fwrite(block, 1, size, stream);
    fclose(file);
    DeleteFileW(path);
}

int wmain(int argc, WCHAR **argv)
{
    unix_name spell = (unix_name)GetProcAddress(GetModuleHandleW(L"kernel32"), "wine_get_unix_file_name");
    WCHAR own[MAX_PATH], folder[MAX_PATH], status[MAX_PATH], program[MAX_PATH] = L"/usr/bin/";
    STARTUPINFOW startup = {sizeof startup};
    PROCESS_INFORMATION process;
    int code = -1;

    GetModuleFileNameW(NULL, own, MAX_PATH);
    *wcsrchr(own, L'.') = 0;
    wcscat(program, wcsrchr(own, L'\\') + 1);
    GetTempPathW(MAX_PATH, folder);
    GetTempFileNameW(folder, L"own", 0, status);
    add(status, spell);
    add(program, NULL);
    for (int i = 1; i < argc; i++)
        add(argv[i], spell);
    if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process))
        return 127;
    while (code < 0) {
        FILE *file = _wfopen(status, L"r");
        if (file) {
            if (fscanf(file, "%d\n", &code) != 1)
                code = -1;
            fclose(file);
        }
        Sleep(10);
    }
    hand_on(status, L".1", stdout);
    hand_on(status, L".2", stderr);
    DeleteFileW(status);
    return code;
}
