package check

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/falimage/falimage-go/fal"
)

// Weights refuses a path that fal cannot load weights from: local files, and
// the pages that show weights in place of the weights.
func (l *List) Weights(field, path string) {
	l.weights(field, path, "upload it with Client.Upload and give the URL of what that returns")
}

// WeightsOrFile refuses weights that are not given either by a path, as in
// Weights, or by a file.
func (l *List) WeightsOrFile(field, path string, file fal.File) {
	switch {
	case file.IsZero():
		l.Required(field, path)
		l.weights(field, path, "give it in the field File, by fal.Path")
	case path != "":
		l.Add(field, shown(path), "cannot be given together with File")
	default:
		l.File(field, file)
	}
}

// MethodOrWeights is Weights for what may be a name that the service knows.
func (l *List) MethodOrWeights(field, path string) {
	if strings.ContainsAny(path, `./\:~`) {
		l.Weights(field, path)
	}
}

// weights notes what is wrong with a path; localAdvice is what to do with a
// local file.
func (l *List) weights(field, path, localAdvice string) {
	scheme, _, isURL := strings.Cut(path, "://")
	var message string
	switch {
	case strings.TrimSpace(path) == "" || isRepository(path):
		return
	case isURL && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https")):
		if message = page(path); message == "" {
			return
		}
	case isLocal(path):
		message = "is a file on this computer, which fal cannot see: " + localAdvice
	default:
		message = `must be an http or https URL, or a Hugging Face repository as "owner/name"`
	}
	l.Add(field, shown(path), message)
}

// shown is a path without what may be secret in it.
func shown(path string) string {
	if strings.Contains(path, "://") {
		return fal.URL(path).String()
	}
	return path
}

// isRepository reports whether a path has the form "owner/name" and is not
// that of a file.
func isRepository(path string) bool {
	owner, name, ok := strings.Cut(path, "/")
	return ok && isRepositoryPart(owner) && isRepositoryPart(name) && !isWeightsFile(name)
}

func isRepositoryPart(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && (c != '.' || i == 0) {
			return false
		}
	}
	return s != ""
}

// isLocal reports whether a path is that of a file on some computer.
func isLocal(path string) bool {
	if strings.ContainsRune(path, '\\') || isWeightsFile(path) && !strings.Contains(path, "://") {
		return true
	}
	if len(path) >= 2 && path[1] == ':' && isRepositoryPart(path[:1]) {
		return true // C:
	}
	lower := strings.ToLower(path)
	for _, prefix := range []string{"/", "./", "../", "~", "file:"} {
		if strings.HasPrefix(lower, prefix) {
			return true
		}
	}
	return false
}

func isWeightsFile(name string) bool {
	lower := strings.ToLower(name)
	for _, suffix := range []string{".safetensors", ".ckpt", ".bin", ".pt", ".pth", ".zip", ".tar"} {
		if strings.HasSuffix(lower, suffix) {
			return true
		}
	}
	return false
}

// page says what to do about a URL that is that of a page, or "" for others.
func page(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "is no absolute URL"
	}
	host := strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	switch {
	case host == "huggingface.co" || host == "hf.co":
		return huggingFacePage(parts)
	case (host == "civitai.com" || host == "civitai.green" || host == "civitai.red") && parts[0] == "models":
		version := u.Query().Get("modelVersionId")
		if _, err := strconv.ParseUint(version, 10, 64); err != nil {
			version = "VERSION"
		}
		return "is the page of a model on Civitai: give its download, https://" + host + "/api/download/models/" + version
	}
	return ""
}

// huggingFacePage is page for the path of an address on Hugging Face.
func huggingFacePage(parts []string) string {
	if len(parts) < 2 {
		return `is a page of Hugging Face: give a repository as "owner/name"`
	}
	repository := parts[0] + "/" + parts[1]
	download := "https://huggingface.co/" + repository + "/resolve/"
	switch {
	case len(parts) == 2:
		return "is the page of a repository: give it as " + strconv.Quote(repository)
	case len(parts) > 4 && (parts[2] == "blob" || parts[2] == "raw"):
		return "is the page of a file on Hugging Face: give its download, " + download + strings.Join(parts[3:], "/")
	case parts[2] == "blob" || parts[2] == "raw" || parts[2] == "tree":
		return "is a page of Hugging Face: give the repository as " + strconv.Quote(repository) + ", or the download of a file, " + download + "main/FILE"
	}
	return ""
}

// PathOf is what stands in a request for weights: a path or else a file.
func PathOf(path string, file fal.File) any {
	switch {
	case !file.IsZero():
		return file
	case path != "":
		return path
	}
	return nil
}

// ScaleOf is what stands in a request for a scale: one for each layer, or else
// one for all of them.
func ScaleOf(one *float64, layers map[string]float64) any {
	switch {
	case len(layers) > 0:
		return layers
	case one != nil:
		return one
	}
	return nil
}

// Bytes returns the size of the files together, or 0 if that of any of them is
// not known.
func Bytes(files ...fal.File) (sum int64) {
	for _, f := range files {
		n, err := f.Size()
		if err != nil {
			return 0
		}
		sum += n
	}
	return sum
}
